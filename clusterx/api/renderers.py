from rest_framework.renderers import JSONRenderer


class FastJSONRenderer(JSONRenderer):
    pass
