"""REST of strategies."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies.api.serializers import StrategyOutput
from strategies.library import LIBRARY


class StrategyListView(APIView):
    """The library: what each strategy does and what may be set. It fits on one page."""

    permission_classes = (AllowAny,)

    @extend_schema(responses=StrategyOutput(many=True))
    def get(self, request: Request) -> Response:
        rows = StrategyOutput(LIBRARY.values(), many=True).data
        return Response({"next": None, "previous": None, "results": rows})
