"""The ids of credentials are typed by people: they must be plain words."""

from __future__ import annotations

import re

from authsvc.accounts.credentials import new_account_id, new_credential
from authsvc.clock import system_randomness


def test_an_id_is_never_taken_for_an_option() -> None:
    """Ids of accounts and credentials are lower-case letters and digits alone, however many are made."""
    for _ in range(500):
        account_id = new_account_id(system_randomness)
        credential = new_credential(account_id, system_randomness)
        assert re.fullmatch(r"[a-z2-7]{16}", account_id)
        assert re.fullmatch(r"[a-z2-7]{12}", credential.id)
