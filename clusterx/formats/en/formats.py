"""English dates as the charts write them: Aug 9, 2024. Django's own shorten some months and not others."""

DATE_FORMAT = "M j, Y"
DATETIME_FORMAT = "M j, Y, H:i"
MONTH_DAY_FORMAT = "M j"
