"""ADQL 2.1 -> PostgreSQL with pgSphere: text and catalogue in, SQL, parameters and columns out."""

from vo_server.adql.errors import ADQLError
from vo_server.adql.features import FEATURES, RESOLVER_FEATURES, Feature
from vo_server.adql.translation import ResultColumn, Translation, translate

__all__ = [
    "FEATURES",
    "RESOLVER_FEATURES",
    "ADQLError",
    "Feature",
    "ResultColumn",
    "Translation",
    "translate",
]
