"""REST of studies: searches of parameters and walk-forwards, each person their own."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from clusterx.accounts.models import User
from clusterx.api.fields import ChoiceField
from strategies import selectors
from strategies.api.serializers import Plain, PointsInput, SubjectInput
from strategies.models import Study
from strategies.services import studies


class StudyProgress(serializers.Serializer[Any]):
    """How far a study is: the rows of lists, and what its stream sends."""

    id = serializers.UUIDField(source="public_id")
    status = serializers.CharField(help_text=f"one of {', '.join(Study.Status.values)}")
    kind = serializers.CharField(help_text=f"one of {', '.join(Study.Kind.values)}")
    progress = serializers.FloatField()
    trials_done = serializers.IntegerField()
    trials_total = serializers.IntegerField(help_text="At most; 0 until a worker has begun.")
    best = Plain()
    reason = serializers.CharField()
    message = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class StudyOutput(StudyProgress):
    """A study as lists show it."""

    subject = serializers.CharField(source="subject_label")
    strategy = serializers.CharField(source="library")
    version = serializers.UUIDField(source="version.public_id", default=None, allow_null=True)
    instrument = serializers.CharField(source="instrument.ref")
    timeframe = serializers.CharField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    method = serializers.CharField()
    objective = serializers.CharField()
    budget = serializers.IntegerField()
    seed = serializers.IntegerField()
    evidence = Plain()
    created_at = serializers.DateTimeField()


class WholeStudyOutput(StudyOutput):
    """A study with all that was asked and all that came out but its curve; docs/optimisation.md says what is in it."""

    space = Plain()
    plan = Plain()
    stopping = Plain()
    conditions = Plain()
    report = Plain()
    engine_version = serializers.IntegerField()
    code_hash = serializers.CharField()
    snapshot = serializers.UUIDField(source="snapshot.public_id", default=None, allow_null=True)


class StudyInput(SubjectInput):
    """What to search; ranges are checked by the space, and errors name the field."""

    instrument = serializers.CharField(max_length=57)
    kind = ChoiceField(choices=Study.Kind.values)
    method = ChoiceField(
        choices=list(studies.METHODS), default="grid", help_text="Of a walk-forward: how each window is searched."
    )
    space = serializers.DictField(
        child=serializers.DictField(), help_text='{"fast": {"minimum": 5, "maximum": 50, "step": 5}, "slow": {"value": 100}}'
    )
    constraints = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, default=list, max_length=20
    )
    plan = serializers.DictField(required=False, default=dict, help_text="mode, windows, test_share, embargo.")
    objective = serializers.CharField(max_length=10, default="sharpe", help_text="sharpe, return or recovery")
    budget = serializers.IntegerField(min_value=1, max_value=studies.MOST_TRIALS, default=1000)
    stopping = serializers.DictField(required=False, default=dict, help_text="patience, least_gain, target.")


class StudyCurve(serializers.Serializer[Any]):
    """Columns: epoch seconds and money; ``starts`` are the beginnings of a walk-forward's tests."""

    time = serializers.ListField(child=serializers.IntegerField())
    equity = serializers.ListField(child=serializers.FloatField())
    starts = serializers.ListField(child=serializers.IntegerField())


@extend_schema_view(list=extend_schema(responses=StudyOutput(many=True)))
class StudyViewSet(mixins.ListModelMixin, GenericViewSet[Study]):
    """Searches and walk-forwards."""

    serializer_class = StudyOutput
    queryset = Study.objects.none()
    lookup_field = "public_id"
    lookup_value_converter = "uuid"
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Study]:
        if getattr(self, "swagger_fake_view", False):
            return Study.objects.none()
        return selectors.studies_of(cast(User, self.request.user))

    @extend_schema(request=StudyInput, responses={201: StudyOutput})
    def create(self, request: Request) -> Response:
        """Queue a study. Its stream, `studies/{id}`, tells how far it is."""
        serializer = StudyInput(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        given = dict(serializer.validated_data)
        given["constraints"] = tuple(given["constraints"])
        person = cast(User, request.user)
        study = studies.request_study(owner=person, asked=studies.StudyRequest(**given), at=timezone.now())
        return Response(StudyOutput(self.get_queryset().get(pk=study.pk)).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=WholeStudyOutput)
    def retrieve(self, request: Request, public_id: str) -> Response:
        return Response(WholeStudyOutput(self._whole(public_id)).data)

    @extend_schema(request=None, responses=StudyOutput)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, public_id: str) -> Response:
        """Let no more trials begin."""
        return self._again(studies.pause_study(study_id=self.get_object().pk))

    @extend_schema(request=None, responses=StudyOutput)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, public_id: str) -> Response:
        """Go on with it."""
        return self._again(studies.resume_study(study_id=self.get_object().pk))

    @extend_schema(request=None, responses=StudyOutput)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, public_id: str) -> Response:
        """End it, if it is not over. What it tried still counts as tried."""
        return self._again(studies.cancel_study(study_id=self.get_object().pk, at=timezone.now()))

    @extend_schema(parameters=[PointsInput], responses=StudyCurve)
    @action(detail=True, pagination_class=None)
    def curve(self, request: Request, public_id: str) -> Response:
        """The equity of the best, in sample and by days; of a walk-forward out of sample, by bars."""
        wanted = PointsInput(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        return Response(selectors.study_curve(self._whole(public_id), wanted.validated_data["points"]))

    def _whole(self, public_id: str) -> Study:
        try:
            return selectors.study_of(cast(User, self.request.user), public_id)
        except Study.DoesNotExist:
            raise Http404 from None

    def _again(self, study: Study) -> Response:
        return Response(StudyOutput(self.get_queryset().get(pk=study.pk)).data)
