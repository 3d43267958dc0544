/* Server-sent events in the answer to any request, as an EventSource reads them of a GET alone. */

/**
 * An event of a run: `session_start`, `chunk`, `detail`, `session_end` or `error`, with its number in the run.
 * @typedef {{number: number, name: string, data: any}} LoomEvent
 */

/** One block of lines as an event; null where it holds none, such as a comment that keeps the line open.
 * @param {string} block @returns {LoomEvent | null} */
function eventOf(block) {
  let number = 0, name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === "id" && /^\d+$/.test(value)) number = Number(value);
    else if (field === "event") name = value;
    else if (field === "data") data.push(value);
  }
  return data.length ? { number, name, data: JSON.parse(data.join("\n")) } : null;
}

/** The events of a body as they come; one that was cut off is left out. Who stops asking gives the connection up.
 * @param {Response} response @returns {AsyncGenerator<LoomEvent, void, void>} */
export async function* readEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      // A lone carriage return at the end may be half of a line end.
      const whole = text.endsWith("\r") ? text.slice(0, -1) : text;
      const blocks = whole.replace(/\r\n?/g, "\n").split("\n\n");
      text = blocks.pop() + text.slice(whole.length);
      for (const block of blocks) {
        const event = eventOf(block);
        if (event) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
