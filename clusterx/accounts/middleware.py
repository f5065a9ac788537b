"""A signed-in person's language and time zone, for the length of a request."""


class DisplaySettingsMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)
