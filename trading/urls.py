"""Addresses of the pages of Trade."""

from django.urls import path

from trading import views
from trading.views import accounts, risk

app_name = "trading"
urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("accounts/", accounts.account_list, name="accounts"),
    path("accounts/new/", views.account_new, name="account_new"),
    path("accounts/connect/", accounts.connect, name="connect"),
    path("accounts/connect/<slug:broker>/", accounts.connect_broker, name="connect_broker"),
    path("accounts/<uuid:public_id>/", accounts.account, name="account"),
    path("accounts/<uuid:public_id>/check/", accounts.check, name="account_check"),
    path("accounts/<uuid:public_id>/key/", accounts.replace_key, name="account_key"),
    path("accounts/<uuid:public_id>/revoke/", accounts.revoke, name="account_revoke"),
    path("accounts/<uuid:public_id>/remove/", accounts.remove, name="account_remove"),
    path("accounts/<uuid:public_id>/terms/", accounts.terms, name="account_terms"),
    path("deploy/", views.deploy, name="deploy"),
    path("orders/", views.orders, name="orders"),
    path("activity/", views.activity, name="activity"),
    path("deployments/<uuid:public_id>/", views.deployment, name="deployment"),
    path("deployments/<uuid:public_id>/start/", views.deployment_start, name="deployment_start"),
    path("deployments/<uuid:public_id>/stop/", views.deployment_stop, name="deployment_stop"),
    path("deployments/<uuid:public_id>/delete/", views.deployment_delete, name="deployment_delete"),
    path("deployments/<uuid:public_id>/state/", risk.deployment_state, name="deployment_state"),
    path("standing/", risk.standing, name="standing"),
    path("risk/", risk.risk, name="risk"),
    path("risk/rules/", risk.rules, name="risk_rules"),
    path("risk/state/", risk.account_state, name="account_state"),
    path("risk/breakers/<str:breaker>/reset/", risk.breaker_reset, name="breaker_reset"),
    path("panic/", risk.panic_start, name="panic_start"),
    path("panic/will/", risk.panic_will, name="panic_will"),
    path("panic/<int:pk>/", risk.panic, name="panic"),
]
