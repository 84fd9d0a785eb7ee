"""Form fields whose files are sent in pieces, while people fill in the rest of the form.

::

    class ReportForm(forms.ModelForm):
        file = UploadField(max_size=2 * 1024**3, types=["application/pdf"])

What a form is sent in place of a file is not trusted: it must be an upload to this storage that
is complete, waits for a form, was begun by a link for this user, and is within the limits of this
field.
"""

from secure_dbstorage.forms.claims import received
from secure_dbstorage.forms.fields import UploadField
from secure_dbstorage.forms.images import ImageUploadField
from secure_dbstorage.forms.widgets import UploadInput

__all__ = ["ImageUploadField", "UploadField", "UploadInput", "received"]
