/* Loom's API for scripts of a browser: a function for each operation. What they answer stands in docs/api.md. */
import { readEvents } from "./sse-post.js";

/**
 * @typedef {import("./sse-post.js").LoomEvent} LoomEvent
 * @typedef {{prompt?: string, payload?: unknown, qualifier?: string, session_id?: string, stream?: boolean,
 *   on_disconnect?: "continue" | "stop"}} Invoke
 * @typedef {Record<string, string | number | boolean | string[]>} Query
 * @typedef {{requestKey?: string}} Once which names a request, so that the same one again does nothing more
 * @typedef {{agent_id?: number, qualifier?: string, is_fresh?: boolean, prompt?: string, has_earlier?: boolean}} Repeat
 */

/** Loom refused a request, and says why and what to do. */
export class ApiError extends Error {
  /** @param {number} status @param {{error?: string, message?: string, details?: {advice?: string}}} said */
  constructor(status, said) {
    super(said.message ?? `Loom answered ${status}.`);
    this.status = status;
    this.code = said.error ?? "";
    this.advice = said.details?.advice ?? "";
  }
}

export class Client {
  /** @param {string} token of `manage.py create_token`; on Loom's own pages the sign-in does
   *  @param {string} base where the API is */
  constructor(token = "", base = "/api") {
    this.token = token;
    this.base = base;
  }

  /** @param {Query} query */
  agents(query = {}) { return this.#json("GET", `/agents${queryOf(query)}`); }
  /** @param {number} agentId */
  agent(agentId) { return this.#json("GET", `/agents/${agentId}`); }
  /** @param {string} arn */
  register(arn) { return this.#json("POST", "/agents", { arn }); }
  /** @param {number} agentId */
  refresh(agentId) { return this.#json("POST", `/agents/${agentId}/refresh`); }
  /** @param {number} agentId */
  archive(agentId) { return this.#json("DELETE", `/agents/${agentId}`); }
  /** @param {object} body action, agent_ids, tag */
  changeAgents(body) { return this.#json("POST", "/agents/together", body); }
  /** @param {number} agentId */
  star(agentId) { return this.#json("PUT", `/agents/${agentId}/star`); }
  /** @param {number} agentId */
  unstar(agentId) { return this.#json("DELETE", `/agents/${agentId}/star`); }

  /** Send a prompt once, whatever breaks, and yield its events as they happen.
   * @param {number} agentId @param {Invoke} body @param {{requestKey?: string, signal?: AbortSignal}} options
   * @returns {AsyncGenerator<LoomEvent, void, void>} */
  async *invoke(agentId, body, { requestKey = crypto.randomUUID(), signal } = {}) {
    const headers = { "Idempotency-Key": requestKey };
    yield* readEvents(await this.#send("POST", `/agents/${agentId}/invoke`, body, { headers, signal }));
  }

  /** The events of a run after a number, as they were and as they happen.
   * @param {number} agentId @param {string} sessionId @param {Query} query `invocation`, `since`, `detail`
   * @param {{signal?: AbortSignal}} options @returns {AsyncGenerator<LoomEvent, void, void>} */
  async *follow(agentId, sessionId, query, { signal } = {}) {
    const path = `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/events${queryOf(query)}`;
    yield* readEvents(await this.#send("GET", path, undefined, { signal }));
  }

  /** @param {number} agentId @param {string} sessionId */
  stop(agentId, sessionId) { return this.#json("POST", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/stop`); }
  /** @param {number} agentId @param {string} sessionId */
  end(agentId, sessionId) { return this.#json("POST", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/end`); }
  /** @param {number} agentId @param {Query} query */
  sessions(agentId, query = {}) { return this.#json("GET", `/agents/${agentId}/sessions${queryOf(query)}`); }
  /** @param {number} agentId @param {string} sessionId */
  session(agentId, sessionId) { return this.#json("GET", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}`); }
  /** Sessions of all agents. @param {Query} query */
  findSessions(query = {}) { return this.#json("GET", `/sessions${queryOf(query)}`); }
  /** @param {number} agentId @param {string} sessionId @param {string} title */
  renameSession(agentId, sessionId, title) {
    return this.#json("PATCH", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}`, { title });
  }
  /** @param {number} agentId @param {string} sessionId @param {number} number */
  invocation(agentId, sessionId, number) {
    return this.#json("GET", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/invocations/${number}`);
  }
  /** @param {number} agentId @param {string} sessionId @param {number} number */
  unread(agentId, sessionId, number) {
    return this.#json("GET", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/invocations/${number}/unread`);
  }
  /** @param {number} agentId @param {string} sessionId @param {Query} query */
  latency(agentId, sessionId, query = {}) {
    return this.#json("GET", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/latency${queryOf(query)}`);
  }
  /** @param {number} agentId @param {Query} query */
  agentLogs(agentId, query = {}) { return this.#json("GET", `/agents/${agentId}/logs${queryOf(query)}`); }
  /** @param {number} agentId @param {string} sessionId @param {Query} query */
  sessionLogs(agentId, sessionId, query = {}) {
    return this.#json("GET", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/logs${queryOf(query)}`);
  }

  /** Why no log lines are found. @param {number} agentId @param {Query} query `qualifier`, `session_id`, `invocation` */
  checkLogs(agentId, query = {}) { return this.#json("GET", `/agents/${agentId}/logs/check${queryOf(query)}`); }

  /** Let it stand before the others. @param {string} publicId as in the address of its page */
  pinSession(publicId) { return this.#json("POST", `/sessions/${encodeURIComponent(publicId)}/pin`); }
  /** @param {string} publicId */
  unpinSession(publicId) { return this.#json("POST", `/sessions/${encodeURIComponent(publicId)}/unpin`); }
  /** Leave it out of the lists. @param {string} publicId */
  archiveSession(publicId) { return this.#json("POST", `/sessions/${encodeURIComponent(publicId)}/archive`); }
  /** @param {string} publicId */
  reviveSession(publicId) { return this.#json("POST", `/sessions/${encodeURIComponent(publicId)}/revive`); }
  /** For an hour `restoreSession` brings it back. @param {string} publicId */
  deleteSession(publicId) { return this.#json("DELETE", `/sessions/${encodeURIComponent(publicId)}`); }
  /** @param {string} publicId */
  restoreSession(publicId) { return this.#json("POST", `/sessions/${encodeURIComponent(publicId)}/restore`); }

  /** @param {number} agentId @param {string} sessionId */
  queue(agentId, sessionId) { return this.#json("GET", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/queue`); }
  /** Put a prompt behind what is answered, once, whatever breaks.
   * @param {number} agentId @param {string} sessionId @param {{prompt?: string, payload?: unknown}} body @param {Once} options */
  enqueue(agentId, sessionId, body, options) {
    return this.#json("POST", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/queue`, body, onceBy(options));
  }
  /** @param {number} agentId @param {string} sessionId @param {number} promptId
   *  @param {{prompt?: string, payload?: unknown, position?: number}} body */
  changeQueued(agentId, sessionId, promptId, body) {
    return this.#json("PATCH", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/queue/${promptId}`, body);
  }
  /** @param {number} agentId @param {string} sessionId @param {number} promptId */
  removeQueued(agentId, sessionId, promptId) {
    return this.#json("DELETE", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/queue/${promptId}`);
  }
  /** @param {number} agentId @param {string} sessionId */
  clearQueue(agentId, sessionId) { return this.#json("DELETE", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/queue`); }
  /** Send what is held after a stop.
   * @param {number} agentId @param {string} sessionId */
  sendQueued(agentId, sessionId) { return this.#json("POST", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/queue/send`); }

  /** One page of the runs of all sessions. @param {Query} query */
  runs(query = {}) { return this.#json("GET", `/runs${queryOf(query)}`); }
  /** Two to six runs side by side, or targets over their runs. @param {Query} query `runs`, their ids with commas
   *  between, `first`, `second`; or `target`, a list of AGENT:ENDPOINT:VERSION, `metric`, `start`, `range`, `from`, `to` */
  compare(query) { return this.#json("GET", `/compare${queryOf(query)}`); }
  /** Your rating. @param {number} runId */
  rating(runId) { return this.#json("GET", `/runs/${runId}/rating`); }
  /** @param {number} runId @param {{thumb?: "" | "up" | "down", note?: string}} body */
  rate(runId, body) { return this.#json("PUT", `/runs/${runId}/rating`, body); }
  /** @param {number} runId */
  removeRating(runId) { return this.#json("DELETE", `/runs/${runId}/rating`); }
  views() { return this.#json("GET", "/views"); }
  /** @param {{name: string, query?: string}} body */
  saveView(body) { return this.#json("POST", "/views", body); }
  /** @param {number} viewId */
  removeView(viewId) { return this.#json("DELETE", `/views/${viewId}`); }
  /** @param {number[]} runIds @param {string} tag */
  tagRuns(runIds, tag) { return this.#json("POST", "/runs/tag", { run_ids: runIds, tag }); }
  /** @param {number[]} runIds @param {string} tag */
  untagRuns(runIds, tag) { return this.#json("POST", "/runs/untag", { run_ids: runIds, tag }); }
  /** @param {number[]} runIds */
  deleteRuns(runIds) { return this.#json("POST", "/runs/delete", { run_ids: runIds }); }
  /** Look in the logs again for its start. @param {number} runId */
  searchStartAgain(runId) { return this.#json("POST", `/runs/${runId}/latency/check`); }
  /** @param {number} runId */
  timeline(runId) { return this.#json("GET", `/runs/${runId}/timeline`); }
  /** Send the prompt of a run again, once, whatever breaks.
   * @param {number} runId @param {Repeat} body @param {Once} options */
  repeat(runId, body = {}, options) { return this.#json("POST", `/runs/${runId}/repeat`, body, onceBy(options)); }

  /** A file, unread: its text or bytes, and its name in `Content-Disposition`.
   * @param {number} runId @param {Query} query `format` */
  exportRun(runId, query = {}) { return this.#send("GET", `/runs/${runId}/export${queryOf(query)}`); }
  /** A file, as above.
   * @param {number} agentId @param {string} sessionId @param {Query} query `format` */
  exportSession(agentId, sessionId, query = {}) {
    return this.#send("GET", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/export${queryOf(query)}`);
  }
  /** @param {Blob} file the evidence as it was downloaded, byte for byte */
  checkEvidence(file) { return this.#json("POST", "/evidence", file); }
  /** @param {number} agentId @param {string} sessionId */
  links(agentId, sessionId) { return this.#json("GET", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/links`); }
  /** @param {number} agentId @param {string} sessionId @param {{days?: number}} body */
  share(agentId, sessionId, body = {}) { return this.#json("POST", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/links`, body); }
  /** @param {number} agentId @param {string} sessionId @param {number} linkId */
  revokeLink(agentId, sessionId, linkId) {
    return this.#json("DELETE", `/agents/${agentId}/sessions/${encodeURIComponent(sessionId)}/links/${linkId}`);
  }

  promptSets() { return this.#json("GET", "/prompt-sets"); }
  /** @param {number} setId */
  promptSet(setId) { return this.#json("GET", `/prompt-sets/${setId}`); }
  /** @param {Record<string, unknown>} body */
  makePromptSet(body) { return this.#json("POST", "/prompt-sets", body); }
  /** @param {number} setId @param {string} name */
  renamePromptSet(setId, name) { return this.#json("PATCH", `/prompt-sets/${setId}`, { name }); }
  /** @param {number} setId @param {Record<string, unknown>} body */
  addPrompts(setId, body) { return this.#json("POST", `/prompt-sets/${setId}/prompts`, body); }
  /** @param {number} setId @param {number} promptId
   *  @param {{prompt?: string, checks?: object[], position?: number, mark?: string}} body */
  changePrompt(setId, promptId, body) { return this.#json("PATCH", `/prompt-sets/${setId}/prompts/${promptId}`, body); }
  /** @param {number} setId @param {number} promptId @param {Query} query `mark` */
  removePrompt(setId, promptId, query = {}) { return this.#json("DELETE", `/prompt-sets/${setId}/prompts/${promptId}${queryOf(query)}`); }
  /** A file, as above. @param {number} setId @param {Query} query `format` */
  exportPromptSet(setId, query = {}) { return this.#send("GET", `/prompt-sets/${setId}/export${queryOf(query)}`); }
  /** @param {number} setId @param {Record<string, unknown>} body */
  estimatePromptSet(setId, body) { return this.#json("POST", `/prompt-sets/${setId}/estimate`, body); }
  /** @param {number} setId */
  deletePromptSet(setId) { return this.#json("DELETE", `/prompt-sets/${setId}`); }
  /** @param {number} setId @param {Record<string, unknown>} body @param {Once} options */
  runPromptSet(setId, body, options) { return this.#json("POST", `/prompt-sets/${setId}/run`, body, onceBy(options)); }
  /** One prompt to several agents at once.
   * @param {Record<string, unknown>} body @param {Once} options */
  sideBySide(body, options) { return this.#json("POST", "/side-by-side", body, onceBy(options)); }
  /** @param {Record<string, unknown>} body */
  estimateSideBySide(body) { return this.#json("POST", "/side-by-side/estimate", body); }
  /** @param {Query} query */
  plans(query = {}) { return this.#json("GET", `/plans${queryOf(query)}`); }
  /** @param {number} planId */
  plan(planId) { return this.#json("GET", `/plans/${planId}`); }
  /** @param {number} planId */
  cancelPlan(planId) { return this.#json("POST", `/plans/${planId}/cancel`); }

  /** @param {Query} query */
  environments(query = {}) { return this.#json("GET", `/environments${queryOf(query)}`); }
  /** @param {Query} query `agent`, `days`, `metric`, `measure_start` */
  coldStarts(query = {}) { return this.#json("GET", `/cold-starts${queryOf(query)}`); }
  /** @param {number} agentId @param {Query} query `days`, `ping_minutes`, `from_hour`, `to_hour`, `keep_hours`, `idle_minutes` */
  keepWarm(agentId, query = {}) { return this.#json("GET", `/agents/${agentId}/keep-warm${queryOf(query)}`); }

  awsAccounts() { return this.#json("GET", "/aws-accounts"); }
  /** @param {Record<string, unknown>} body */
  addAwsAccount(body) { return this.#json("POST", "/aws-accounts", body); }
  /** @param {number} key */
  awsAccount(key) { return this.#json("GET", `/aws-accounts/${key}`); }
  /** @param {number} key @param {Record<string, unknown>} body */
  changeAwsAccount(key, body) { return this.#json("PATCH", `/aws-accounts/${key}`, body); }
  /** @param {number} key @param {Query} query */
  deleteAwsAccount(key, query = {}) { return this.#json("DELETE", `/aws-accounts/${key}${queryOf(query)}`); }
  /** @param {number} key */
  checkAwsAccount(key) { return this.#json("POST", `/aws-accounts/${key}/check`); }

  /** Two targets against each other; differences are told as second − first.
   * @param {Record<string, unknown>} body @param {Once} options */
  startBench(body, options) { return this.#json("POST", "/benches", body, onceBy(options)); }
  /** @param {Record<string, unknown>} body */
  estimateBench(body) { return this.#json("POST", "/benches/estimate", body); }
  /** @param {Query} query */
  benches(query = {}) { return this.#json("GET", `/benches${queryOf(query)}`); }
  /** @param {number} benchId */
  bench(benchId) { return this.#json("GET", `/benches/${benchId}`); }
  /** @param {number} benchId */
  cancelBench(benchId) { return this.#json("POST", `/benches/${benchId}/cancel`); }

  budgets() { return this.#json("GET", "/budgets"); }
  /** @param {Record<string, unknown>} body */
  makeBudget(body) { return this.#json("POST", "/budgets", body); }
  /** @param {number} budgetId */
  budget(budgetId) { return this.#json("GET", `/budgets/${budgetId}`); }
  /** @param {number} budgetId @param {Record<string, unknown>} body */
  changeBudget(budgetId, body) { return this.#json("PATCH", `/budgets/${budgetId}`, body); }
  /** @param {number} budgetId */
  deleteBudget(budgetId) { return this.#json("DELETE", `/budgets/${budgetId}`); }

  alertRules() { return this.#json("GET", "/alert-rules"); }
  /** @param {Record<string, unknown>} body */
  makeAlertRule(body) { return this.#json("POST", "/alert-rules", body); }
  /** @param {Record<string, unknown>} body */
  previewAlertRule(body) { return this.#json("POST", "/alert-rules/preview", body); }
  /** @param {number} ruleId */
  alertRule(ruleId) { return this.#json("GET", `/alert-rules/${ruleId}`); }
  /** @param {number} ruleId @param {Record<string, unknown>} body */
  changeAlertRule(ruleId, body) { return this.#json("PATCH", `/alert-rules/${ruleId}`, body); }
  /** @param {number} ruleId */
  deleteAlertRule(ruleId) { return this.#json("DELETE", `/alert-rules/${ruleId}`); }
  /** @param {number} ruleId */
  testAlertRule(ruleId) { return this.#json("POST", `/alert-rules/${ruleId}/test`); }
  /** @param {Query} query */
  alerts(query = {}) { return this.#json("GET", `/alerts${queryOf(query)}`); }
  /** @param {number} alertId */
  alert(alertId) { return this.#json("GET", `/alerts/${alertId}`); }
  /** @param {number} alertId @param {Record<string, unknown>} body */
  acknowledgeAlert(alertId, body = {}) { return this.#json("POST", `/alerts/${alertId}/acknowledge`, body); }
  /** @param {number} alertId @param {Record<string, unknown>} body */
  snoozeAlert(alertId, body = {}) { return this.#json("POST", `/alerts/${alertId}/snooze`, body); }
  /** @param {number} alertId @param {Record<string, unknown>} body */
  resolveAlert(alertId, body = {}) { return this.#json("POST", `/alerts/${alertId}/resolve`, body); }
  alertChannels() { return this.#json("GET", "/alert-channels"); }
  /** @param {Record<string, unknown>} body */
  makeAlertChannel(body) { return this.#json("POST", "/alert-channels", body); }
  /** @param {string} name */
  deleteAlertChannel(name) { return this.#json("DELETE", `/alert-channels/${encodeURIComponent(name)}`); }
  undeliveredAlerts() { return this.#json("GET", "/alert-notices"); }
  /** @param {number} noticeId */
  resendAlert(noticeId) { return this.#json("POST", `/alert-notices/${noticeId}/resend`); }

  /** @param {number} agentId @param {Record<string, unknown>} body */
  startSeries(agentId, body) { return this.#json("POST", `/agents/${agentId}/start-series`, body); }
  /** @param {number} seriesId */
  series(seriesId) { return this.#json("GET", `/start-series/${seriesId}`); }
  /** @param {number} seriesId */
  cancelSeries(seriesId) { return this.#json("POST", `/start-series/${seriesId}/cancel`); }

  /** @param {string} method @param {string} path @param {unknown} body
   *  @param {{headers?: Record<string, string>, signal?: AbortSignal}} options @returns {Promise<Response>} */
  async #send(method, path, body = undefined, { headers = {}, signal } = {}) {
    const own = this.token ? { Authorization: `Bearer ${this.token}` } : csrfHeader();
    const response = await fetch(`${this.base}${path}`, {
      method, signal, headers: { ...own, ...headers, ...(body !== undefined && { "Content-Type": "application/json" }) },
      body: body instanceof Blob ? body : body === undefined ? undefined : JSON.stringify(body),
    });
    if (response.ok) return response;
    const said = await response.json().catch(() => ({}));
    throw new ApiError(response.status, said);
  }

  /** @param {string} method @param {string} path @param {unknown} [body]
   *  @param {{headers?: Record<string, string>}} [options] @returns {Promise<any>} */
  async #json(method, path, body, options) {
    const response = await this.#send(method, path, body, options);
    return response.status === 204 ? null : response.json();
  }
}

/** @param {Once} once */
function onceBy({ requestKey = crypto.randomUUID() } = {}) {
  return { headers: { "Idempotency-Key": requestKey } };
}

/** @param {Query} query @returns {string} */
function queryOf(query) {
  const pairs = Object.entries(query).flatMap(([name, value]) => [value].flat().map((one) => [name, String(one)]));
  const text = new URLSearchParams(pairs).toString();
  return text && `?${text}`;
}

/** What a page of Loom's proves itself with.
 * @returns {Record<string, string>} */
function csrfHeader() {
  return JSON.parse(document.body.getAttribute("hx-headers") ?? "{}");
}
