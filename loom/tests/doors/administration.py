"""What the pages of the administration answer to staff and to a superuser."""

from __future__ import annotations

# The administration, whose permissions nobody of the staff here was given: staff, superuser.
ADMIN = {
    "admin:index": (200, 200),
    "admin:app_list": (404, 200),
    "admin:autocomplete": (403, 403),
    "admin:jsi18n": (200, 200),
    "admin:password_change": (200, 200),
    "admin:password_change_done": (200, 200),
    "admin:auth_user_password_change": (403, 404),
    "admin:view_on_site": (404, 404),
    "admin:/admin/<url>": (404, 404),
}
# The same for the pages of every model, of which no row is there. What only Loom makes cannot be added.
ADMIN_OF_MODELS = {
    "changelist": {(403, 200)},
    "add": {(403, 200), (403, 403)},
    "history": {(302, 302)},
    "delete": {(403, 302), (403, 403)},
    "change": {(403, 302)},
    "": {(302, 302)},  # an old address, which leads to `change`
}
