"""The app's pages under `/<account>/…`; `oms.urls` includes them by name."""

from django.urls import path

from channels_sync.views import connections, messages

urlpatterns = [
    path("sync/connections/", connections.connection_list, name="connections"),
    path("sync/connections/new/", connections.connection_new, name="connection_new"),
    path("sync/connections/<int:pk>/", connections.connection, name="connection"),
    path("sync/connections/<int:pk>/change/", connections.connection_edit, name="connection_edit"),
    path("sync/connections/<int:pk>/test/", connections.connection_test, name="connection_test"),
    path("sync/connections/<int:pk>/ask/", connections.connection_ask, name="connection_ask"),
    path("sync/connections/<int:pk>/ask-from/", connections.connection_ask_from, name="connection_ask_from"),
    path("sync/runs/", messages.run_list, name="sync_runs"),
    path("sync/messages/out/", messages.delivery_list, name="messages_out"),
    path("sync/messages/out/<int:pk>/", messages.message_out, name="message_out"),
    path("sync/messages/out/<int:pk>/replay/", messages.message_out_replay, name="message_out_replay"),
    path("sync/messages/out/<int:pk>/close/", messages.message_out_close, name="message_out_close"),
    path("sync/messages/in/", messages.inbound_list, name="messages_in"),
    path("sync/messages/in/<int:pk>/", messages.message_in, name="message_in"),
    path("sync/messages/in/<int:pk>/replay/", messages.message_in_replay, name="message_in_replay"),
    path("sync/messages/in/<int:pk>/close/", messages.message_in_close, name="message_in_close"),
]
