"""The trials of a study's searches are stored a column each."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.db import migrations

LETTERS: Final = {"planned": ".", "asked": "?", "complete": "c", "pruned": "p", "failed": "f"}


def columns(search: dict[str, Any]) -> dict[str, Any]:
    trials = search["trials"]
    names = tuple(trials[0]["values"]) if trials else ()
    return search | {
        "version": 2,
        "trials": {
            "values": {name: [trial["values"][name] for trial in trials] for name in names},
            "states": "".join(LETTERS[trial["state"]] for trial in trials),
            "scores": [trial["score"] for trial in trials],
            "reports": {str(trial["number"]): trial["reports"] for trial in trials if trial["reports"]},
        },
    }


def convert(apps: Any, _: Any) -> None:
    for study in apps.get_model("strategies", "Study").objects.exclude(state=None).only("state").iterator():
        for one in study.state["searches"]:
            if one["search"]["version"] == 1:
                one["search"] = columns(one["search"])
        study.save(update_fields=["state"])


class Migration(migrations.Migration):
    dependencies: ClassVar = [("strategies", "0008_jobs_alike")]

    operations: ClassVar = [migrations.RunPython(convert, migrations.RunPython.noop)]
