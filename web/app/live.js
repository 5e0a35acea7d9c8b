// The progress of a backup or a restore as it happens: server-sent events, taken up again where they broke off, and
// plain questions where no stream comes through.

import { Problem, ask, call } from "./api.js";

const LONGEST_WAIT = 10_000;
/** Streams that said nothing before asking takes their place. */
const PATIENCE = 2;
const BETWEEN_QUESTIONS = 2000;
const OVER = ["completed", "failed", "cancelled", "expired"];

export const isOver = (status) => OVER.includes(status);

/**
 * Tells `onState` every state of the work until it is over, and `onBreak` whether the line is broken; resolves with the
 * last state. `query` is {operation} or {export}, or nothing for the newest.
 */
export async function watch(backup, query, { signal, onState, onBreak = () => {} }) {
  const path = `/backups/${backup}/restore/status`;
  const reader = { last: undefined, state: undefined };
  for (let [silent, failed] = [0, 0]; ; ) {
    signal.throwIfAborted();
    const before = reader.last;
    try {
      if (silent < PATIENCE) {
        await stream(path, query, reader, signal, onState, onBreak);
      } else {
        reader.state = await call("GET", path, { query, signal });
        onBreak(false);
        onState(reader.state);
      }
      failed = 0;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Problem && error.status >= 400 && error.status < 500) throw error;
      failed += 1;
      onBreak(true);
    }
    if (reader.state && isOver(reader.state.status)) return reader.state;
    silent = reader.last === before ? silent + 1 : Math.min(silent, PATIENCE - 1);
    await pause(failed > 0 ? Math.min(LONGEST_WAIT, 500 * 2 ** failed) : silent >= PATIENCE ? BETWEEN_QUESTIONS : 250, signal);
  }
}

async function stream(path, query, reader, signal, onState, onBreak) {
  const headers = { accept: "text/event-stream" };
  if (reader.last) headers["last-event-id"] = reader.last;
  const answer = await ask("GET", path, { query, headers, signal, open: true });
  onBreak(false);
  const pieces = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let rest = ""; ; ) {
      const { value, done } = await pieces.read();
      if (done) return;
      const events = (rest + value.replaceAll("\r", "")).split("\n\n");
      rest = events.pop();
      for (const event of events) take(event, reader, onState);
    }
  } finally {
    pieces.cancel().catch(() => {});
  }
}

function take(event, reader, onState) {
  const fields = event.split("\n").map((line) => /^(\w+): ?(.*)$/.exec(line)).filter(Boolean);
  const field = (name) => fields.filter(([, key]) => key === name).map(([, , value]) => value).join("\n");
  if (!field("data")) return;
  reader.last = field("id") || reader.last;
  reader.state = JSON.parse(field("data"));
  onState(reader.state);
}

export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
