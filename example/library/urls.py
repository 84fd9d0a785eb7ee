from django.contrib.auth.views import LogoutView
from django.urls import path

from . import views
from .throttle import throttled

urlpatterns = [
    path("", views.home, name="home"),
    path("sign-in/", throttled(views.SignIn.as_view()), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("my/documents/", views.add_document, name="add-document"),
    path("my/documents/<int:pk>/link/", views.make_link, name="make-link"),
    path("my/documents/<int:pk>/download/", views.download, name="download"),
    path("my/documents/<int:pk>/share/", views.share, name="share"),
    path("my/documents/<int:pk>/recall/", views.recall, name="recall"),
    path("my/documents/<int:pk>/delete/", views.delete_document, name="delete-document"),
    path("my/documents/undo/", views.undo, name="undo"),
    path("send/<str:token>/", views.send_files, name="send-files"),
    path("my/pictures/add/", views.add_picture, name="add-picture"),
    path("my/pictures/<int:pk>/delete/", views.delete_picture, name="delete-picture"),
]
