from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "clusterx.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from clusterx.accounts import receivers
        from clusterx.accounts.services import ensure_demo_people
        from clusterx.preparation import demo_step

        demo_step(10)(ensure_demo_people)
        receivers.connect()
