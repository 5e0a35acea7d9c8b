// Keeps the files of the dashboard for a browser without a network. Only files: what the functions answer is never kept.
// A deployment names itself and its files (bin/web-site.mjs); from the checkout there is none.

/* global DEPLOYMENT, FILES */
const KEPT = `rovodev-files-${typeof DEPLOYMENT === "undefined" ? "" : DEPLOYMENT}`;
const own = new URL("./", self.location);

self.addEventListener("install", (event) => {
  const files = typeof FILES === "undefined" ? [] : FILES;
  event.waitUntil(caches.open(KEPT).then((kept) => kept.addAll(["./", "config.json", ...files])).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(forget().then(() => self.clients.claim())));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const place = new URL(request.url);
  const path = place.pathname.slice(own.pathname.length);
  const file = request.method === "GET" && place.origin === own.origin && place.pathname.startsWith(own.pathname)
    && !/^(api|auth|rest)\//.test(path) && !request.headers.has("authorization");
  if (file) event.respondWith(answer(request, path.startsWith("chunks/")));
});

/** What earlier deployments left. */
async function forget() {
  const names = await caches.keys();
  return Promise.all(names.filter((name) => name.startsWith("rovodev-files") && name !== KEPT).map((name) => caches.delete(name)));
}

/** The network first, so that a new version is there at once; files named after what is in them never change. */
async function answer(request, lasting) {
  const kept = await caches.open(KEPT);
  const name = request.url.split(/[?#]/)[0];
  const before = lasting && (await kept.match(name));
  if (before) return before;
  try {
    const told = await fetch(request);
    if (told.ok && told.type === "basic") await kept.put(name, told.clone());
    return told;
  } catch (error) {
    const old = await kept.match(name);
    if (old) return old;
    throw error;
  }
}

/** A message of a channel: {title, body, url, id}. */
self.addEventListener("push", (event) => {
  const { title, body, url, id } = event.data.json();
  event.waitUntil(self.registration.showNotification(title, { body, tag: id, icon: "icon-192.png", data: { url } }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const place = new URL(event.notification.data?.url ?? "./", self.location);
  // Only ever into this dashboard.
  const to = place.origin === own.origin ? place.href : own.href;
  event.waitUntil(self.clients.openWindow(to));
});
