"""Code that test modules share."""

import pytest

pytest.register_assert_rewrite("tests.support.storage_contract")
