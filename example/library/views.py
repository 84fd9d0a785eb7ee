"""The pages. The views only hand out links; the package serves the files."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from secure_dbstorage.exceptions import FileTooLarge

from .access import AFTER_SIGN_IN
from .demo import PEOPLE
from .forms import LIFETIMES, DocumentForm, GuestForm, LinkForm, PictureForm
from .invitations import Invitation
from .models import Document, Picture, document_storage, picture_storage
from .undo import note_deletion, title_of_deleted, undo_deletion

#: A player requests more of its file whenever someone seeks, so its link must outlive the film.
PLAYER_SECONDS = 4 * 60 * 60


class VisitorsRequest(HttpRequest):
    """A request in a view with `login_required`."""

    user: User


class SignIn(LoginView):
    template_name = "library/sign_in.html"

    def get_form(self, form_class: type[AuthenticationForm] | None = None) -> AuthenticationForm:
        form = super().get_form(form_class)
        # A phone would scroll past the tickets to reach it.
        form.fields["username"].widget.attrs.pop("autofocus", None)
        return form

    def get_context_data(self, **kwargs: object) -> dict[str, object]:
        people = PEOPLE if settings.DEBUG else ()  # The page shows their passwords.
        return super().get_context_data(people=people, pictures=pictures_with_links(), **kwargs)

    def get_success_url(self) -> str:
        """Lead back to the page, or to the link, that asked for somebody to sign in."""
        link = self.request.session.pop(AFTER_SIGN_IN, "")
        return self.get_redirect_url() or link or self.get_default_redirect_url()


@never_cache
@login_required
@require_GET
def home(request: VisitorsRequest) -> HttpResponse:
    return show_home(request)


def show_home(request: VisitorsRequest, status: int = 200, **forms: object) -> HttpResponse:
    own = Document.objects.filter(owner=request.user)
    # A real site would not offer links that its visitor may not open. Here, they show a refusal.
    others = Document.objects.exclude(owner=request.user).select_related("owner")
    recordings = [document for document in own if document.kind in ("video", "audio")]
    documents = with_links(own)
    newest = documents[0][0].pk if documents else ""
    context = {
        "documents": documents,
        "recordings": with_links(recordings, expires_in=PLAYER_SECONDS),
        "others": with_links(others),
        "pictures": pictures_with_links(),
        "opened": request.GET.get("open", str(newest)),
        "lifetimes": LIFETIMES,
        "deleted": title_of_deleted(request),
        "people": PEOPLE if settings.DEBUG else (),
        "document_form": DocumentForm(user=request.user),
        "invitation": Invitation.to(request.user),
        "picture_form": PictureForm(),
        **forms,
    }
    return render(request, "library/home.html", context, status=status)


def with_links(documents: Iterable[Document], **options: Any) -> list[tuple[Document, str]]:
    """Pair each document with its link.

    `urls()` makes one query; `document.file.url` would make one for each document.
    """
    documents = list(documents)
    urls = document_storage().urls([document.file.name for document in documents], **options)
    return [(document, urls[document.file.name]) for document in documents]


def pictures_with_links() -> list[tuple[Picture, str, str]]:
    pictures = list(Picture.objects.select_related("owner"))
    names = [name for picture in pictures for name in (picture.image.name, picture.thumbnail.name)]
    urls = picture_storage().urls(names)
    return [
        (picture, urls[picture.image.name], urls[picture.thumbnail.name]) for picture in pictures
    ]


@login_required
@require_POST
def add_document(request: VisitorsRequest) -> HttpResponse:
    form = DocumentForm(request.POST, request.FILES, user=request.user)
    if not form.is_valid():
        return show_home(request, status=422, document_form=form)
    document = Document.objects.keep(request.user, form.cleaned_data["file"])
    messages.success(request, f"{document} was uploaded. Only you can open it.")
    return redirect("home")


@never_cache
@require_http_methods(["GET", "POST"])
def send_files(request: HttpRequest, token: str) -> HttpResponse:
    """Take files from somebody without an account, who has an invitation."""
    invitation = Invitation.read(token)
    if invitation is None:
        return render(request, "library/too_late.html", status=403)
    owner = get_object_or_404(User, pk=invitation.owner)
    form = GuestForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        for file in form.cleaned_data["sent"]:
            document = Document.objects.keep(owner, file)
            messages.success(request, f"{document} was sent.")
        return redirect("send-files", token)
    context = {"form": form, "owner": owner, "invitation": invitation}
    context["limit"] = document_storage().options.max_size
    status = 422 if form.errors else 200
    return render(request, "library/send.html", context, status=status)


@login_required
@require_POST
def add_picture(request: VisitorsRequest) -> HttpResponse:
    form = PictureForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            Picture.objects.keep(
                request.user, form.cleaned_data["image"], form.cleaned_data["description"]
            )
        except ValueError as error:
            form.add_error("image", str(error))
        except FileTooLarge:  # The copy can be larger than what was sent.
            form.add_error("image", "This picture is too large.")
    if not form.is_valid():
        return show_home(request, status=422, picture_form=form)
    messages.success(request, "The picture is on the wall for everyone to see.")
    return redirect("home")


def own_document(request: HttpRequest, pk: int) -> Document:
    return get_object_or_404(Document, pk=pk, owner=request.user)


@never_cache
@login_required
@require_POST
def make_link(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a link with a chosen lifetime, and show it as a ticket."""
    document = own_document(request, pk)
    form = LinkForm(request.POST)
    if not form.is_valid():
        return HttpResponse(
            "Choose one of the lifetimes on offer.", status=422, content_type="text/plain"
        )
    seconds = form.cleaned_data["seconds"]
    # With window=0, the lifetime starts now. Otherwise a link may be up to a quarter of its
    # lifetime old, so that a page shown twice has the same links and browsers can cache the files.
    url = document_storage().url(document.file.name, expires_in=seconds, window=0)
    context = {
        "document": document,
        "url": request.build_absolute_uri(url),
        "seconds": seconds,
        "lifetime": LIFETIMES[seconds],
    }
    return render(request, "library/ticket.html", context)


@never_cache
@login_required
@require_GET
def download(request: HttpRequest, pk: int) -> HttpResponse:
    """Make the link when someone clicks, so that it only has to last for a moment."""
    document = own_document(request, pk)
    url = document_storage().url(
        document.file.name, expires_in=60, attachment=True, filename=document.title
    )
    return redirect(url)


@login_required
@require_POST
def share(request: HttpRequest, pk: int) -> HttpResponse:
    document = own_document(request, pk)
    document.shared = not document.shared
    document.save(update_fields=["shared"])
    who = "anyone who has one" if document.shared else "you only"
    messages.success(request, f"Links to {document} now work for {who}.")
    return back_to(document)


@login_required
@require_POST
def recall(request: HttpRequest, pk: int) -> HttpResponse:
    """Make all existing links stop working, however long they had left. New ones will work."""
    document = own_document(request, pk)
    document_storage().revoke_urls(str(document.file))
    messages.success(request, f"All existing links to {document} have stopped working.")
    return back_to(document)


def back_to(document: Document) -> HttpResponse:
    """Show the page with the document's links open, as they were."""
    return redirect(f"{reverse('home')}?open={document.pk}")


@login_required
@require_POST
def delete_document(request: HttpRequest, pk: int) -> HttpResponse:
    document = own_document(request, pk)
    note_deletion(request, document)
    document.delete()
    messages.success(request, f"{document} was deleted.")
    return redirect("home")


@login_required
@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Restore the document that was deleted last. Earlier links don't open it."""
    if (document := undo_deletion(request)) is None:
        messages.error(request, "The document can no longer be restored.")
    else:
        messages.success(
            request, f"{document} was restored. Earlier links to it still don’t work."
        )
    return redirect("home")


@login_required
@require_POST
def delete_picture(request: HttpRequest, pk: int) -> HttpResponse:
    get_object_or_404(Picture, pk=pk, owner=request.user).delete()
    messages.success(request, "The picture was deleted.")
    return redirect("home")
