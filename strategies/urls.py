"""Addresses of the pages of Strategies. Fixed words come before the names of library strategies."""

from django.urls import path

from strategies.views import asking, editor, library, mine, preview, runs

app_name = "strategies"
urlpatterns = [
    path("", library.strategy_list, name="list"),
    path("new/", editor.new, name="new"),
    path("new/code/", editor.new_code, name="new_code"),
    path("new/rules/", editor.new_rules, name="new_rules"),
    path("new/save/", editor.create, name="create"),
    path("preview/", preview.preview, name="preview"),
    path("lint/", editor.lint, name="lint"),
    path("mine/", mine.mine, name="mine"),
    path("mine/<uuid:public_id>/", mine.mine_one, name="mine_one"),
    path("mine/<uuid:public_id>/edit/", editor.edit, name="edit"),
    path("mine/<uuid:public_id>/save/", editor.save, name="save"),
    path("mine/<uuid:public_id>/try/", editor.try_out, name="try"),
    path("mine/<uuid:public_id>/changes/", mine.diff, name="diff"),
    path("mine/<uuid:public_id>/rename/", mine.rename, name="rename"),
    path("mine/<uuid:public_id>/archive/", mine.archive, name="archive"),
    path("mine/<uuid:public_id>/restore/", mine.restore, name="restore"),
    path("versions/<uuid:public_id>/", mine.version, name="version"),
    path("versions/<uuid:public_id>/prove/", mine.prove_again, name="prove_again"),
    path("versions/<uuid:public_id>/fork/", mine.fork, name="fork"),
    path("runs/", runs.run_list, name="runs"),
    path("runs/new/", asking.run_new, name="run_new"),
    path("runs/compare/", runs.run_compare, name="compare"),
    path("runs/<uuid:public_id>/", runs.run, name="run"),
    path("runs/<uuid:public_id>/cancel/", runs.run_cancel, name="run_cancel"),
    path("runs/<uuid:public_id>/again/", runs.run_again, name="run_again"),
    path("runs/<uuid:public_id>/share/", runs.run_share, name="run_share"),
    path("runs/<uuid:public_id>/trades/", runs.run_trades, name="run_trades"),
    path("runs/<uuid:public_id>/bars/", runs.run_bars, name="run_bars"),
    path("shared/<str:token>/", runs.shared, name="shared"),
    path("shared/<str:token>/trades/", runs.shared_trades, name="shared_trades"),
    path("shared/<str:token>/trades.csv", runs.shared_file, {"kind": "csv"}, name="shared_csv"),
    path("shared/<str:token>/trades.parquet", runs.shared_file, {"kind": "parquet"}, name="shared_parquet"),
    path("shared/<str:token>/bars/", runs.shared_bars, name="shared_bars"),
    path("<slug:name>/", library.strategy, name="detail"),
]
