/* Sending a prompt as a form of the page does, which leads to the session anew. */

/** @param {string} action @param {import("./sending.js").Fields} fields */
export function sendPlainly(action, fields) {
  const form = Object.assign(document.createElement("form"), { method: "post", action });
  const { "X-CSRFToken": csrfmiddlewaretoken } = JSON.parse(document.body.getAttribute("hx-headers"));
  for (const [name, value] of Object.entries({ ...fields, csrfmiddlewaretoken })) {
    form.append(Object.assign(document.createElement("textarea"), { name, value }));
  }
  form.hidden = true;
  document.body.append(form);
  form.submit();
}
