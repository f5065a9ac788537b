from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "clusterx.accounts"
    label = "accounts"
    verbose_name = "Accounts"
