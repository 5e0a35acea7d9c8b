// Messages in this browser: a channel of whoever sits here.

import { Problem, call } from "../../app/api.js";
import { element, replace } from "../../app/dom.js";
import { button, failure, section } from "../../app/parts.js";
import { words } from "../../words/en.js";

const EVENTS = ["backup.failed", "backup.overdue", "restore.failed"];
/** The channel of this browser. */
const KEPT = "rovodev-push";
const base64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** None where this deployment has no key for it. */
export async function browser({ kinds, channels }, draw) {
  const kind = kinds.find((each) => each.kind === "push");
  if (!kind?.available) return null;
  const { browser: told } = words.channels;
  const box = element("div", {});
  const registration = await navigator.serviceWorker?.getRegistration();
  const impossible = !registration?.pushManager || !("Notification" in window);
  if (impossible) replace(box, element("p", { class: "soft" }, told.impossible));
  else if (Notification.permission === "denied") replace(box, element("p", { class: "soft" }, told.denied));
  else if (channels.some(({ id }) => id === localStorage.getItem(KEPT)) && (await registration.pushManager.getSubscription())) replace(box, element("p", {}, told.isOn));
  else replace(box, button(told.on, "bell", (event) => begin(event.currentTarget, { registration, kind, box, draw })));
  return section(told.title, element("p", { class: "soft" }, told.text), box);
}

async function begin(pressed, { registration, kind, box, draw }) {
  pressed.disabled = true;
  const { browser: told } = words.channels;
  try {
    if ((await Notification.requestPermission()) !== "granted") {
      replace(box, element("p", { class: "soft" }, told.denied));
      return;
    }
    await subscribe(registration, kind);
    await draw();
  } catch (error) {
    pressed.disabled = false;
    replace(box, pressed, error instanceof Problem ? failure(error) : element("p", { class: "soft", role: "alert" }, told.failed));
  }
}

/** What the service does not take is not left behind in the browser, which would seem to be told. */
async function subscribe(registration, kind) {
  const made = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: kind.publicKey });
  try {
    const subscription = { endpoint: made.endpoint, p256dh: base64(made.getKey("p256dh")), auth: base64(made.getKey("auth")) };
    const events = EVENTS.filter((event) => kind.events.includes(event));
    const { channel } = await call("POST", "/workspace/channels", { body: { kind: "push", name: words.channels.names.push, subscription, events } });
    localStorage.setItem(KEPT, channel.id);
  } catch (error) {
    await made.unsubscribe();
    throw error;
  }
}
