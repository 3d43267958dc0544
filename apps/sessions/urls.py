from __future__ import annotations

from django.urls import path

from apps.sessions.pages import again_views, agent_views, choosing_views, keeping_views, list_views, queue_views, views

urlpatterns = [
    path("", list_views.session_list, name="list"),
    path("csv/", list_views.session_list_csv, name="list-csv"),
    path("agents/", choosing_views.agent_options_fragment, name="agent-options-fragment"),
    path("bulk/", keeping_views.session_bulk, name="bulk"),
    path("deleted/", keeping_views.sessions_deleted, name="deleted"),
    path("restore/", keeping_views.session_restore, name="restore"),
    path("new/", views.session_new, name="new"),
    path("start/<int:agent_pk>/", views.session_start, name="start"),
    path("runs/<int:pk>/", again_views.run_place, name="run"),
    path("<uuid:public_id>/", views.session_detail, name="detail"),
    path("<uuid:public_id>/runs/<int:number>/again/", again_views.run_again, name="again"),
    path("<uuid:public_id>/runs/<int:number>/menu/", again_views.turn_menu_fragment, name="turn-menu-fragment"),
    path("<uuid:public_id>/queue/", queue_views.queue_fragment, name="queue-fragment"),
    path("<uuid:public_id>/queue/<int:pk>/", queue_views.queued_prompt, name="queued-prompt"),
    path("<uuid:public_id>/answers/<int:number>/", views.answer, name="answer"),
    path("<uuid:public_id>/answers/<int:number>/unread/", views.unread, name="unread"),
    path("<uuid:public_id>/end/", views.session_end, name="end"),
    path("<uuid:public_id>/invoke/", views.session_invoke, name="invoke"),
    path("<uuid:public_id>/rename/", list_views.session_rename, name="rename"),
    path("<uuid:public_id>/keep/", keeping_views.session_keep, name="keep"),
    path("<uuid:public_id>/stop/", views.session_stop, name="stop"),
    path("<uuid:public_id>/turns/", views.turns_fragment, name="turns-fragment"),
]
# Below /agents/; loom.urls puts them beside the others.
agent_urlpatterns = [path("<int:pk>/sessions/", agent_views.agent_sessions, name="sessions")]
