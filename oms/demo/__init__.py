"""The demo cast: who they are and how they sign in. The data itself is made by `manage.py seed_demo`."""

from dataclasses import dataclass
from pathlib import Path

from oms.models import Role

CATALOGUE = Path(__file__).with_name("catalogue.csv")
"""SKUs of a sample shop; one of them is there three times, as in real files."""
PASSWORD = "lotline-demo"  # noqa: S105 - printed by `manage.py up` for everyone to try
"""Everybody's password in the demo data, and only there."""


@dataclass(frozen=True)
class DemoPerson:
    """One of the cast, with the role in each account by its slug."""

    name: str
    email: str
    roles: tuple[tuple[str, Role], ...]

    @property
    def role(self) -> str:
        """The roles in words, for the sign-in list."""
        return str(self.roles[0][1].label)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The slugs of the person's accounts."""
        return tuple(slug for slug, _role in self.roles)


ACCOUNTS = (("acme", "Acme Supply"), ("birch", "Birch & Co"))
WAREHOUSE = "Westport DC"
PEOPLE = (
    DemoPerson("Ana Admin", "ana@lotline.example", (("acme", Role.ADMIN),)),
    DemoPerson("Ben Viewer", "ben@lotline.example", (("acme", Role.VIEWER),)),
    DemoPerson("Olga Operator", "olga@lotline.example", (("acme", Role.OPERATOR),)),
    DemoPerson("Wes Warehouse", "wes@lotline.example", (("acme", Role.WAREHOUSE), ("birch", Role.WAREHOUSE))),
    DemoPerson("Cid Admin", "cid@lotline.example", (("birch", Role.ADMIN),)),
)
