"""Numbers that configurations are made of, with the bounds that msgspec checks."""

from typing import Annotated

from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
