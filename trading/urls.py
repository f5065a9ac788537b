"""Addresses of the pages of Trade."""

from django.urls import path

from trading import views

app_name = "trading"
urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("accounts/new/", views.account_new, name="account_new"),
    path("deploy/", views.deploy, name="deploy"),
    path("orders/", views.orders, name="orders"),
    path("activity/", views.activity, name="activity"),
    path("deployments/<uuid:public_id>/", views.deployment, name="deployment"),
    path("deployments/<uuid:public_id>/start/", views.deployment_start, name="deployment_start"),
    path("deployments/<uuid:public_id>/stop/", views.deployment_stop, name="deployment_stop"),
    path("deployments/<uuid:public_id>/delete/", views.deployment_delete, name="deployment_delete"),
]
