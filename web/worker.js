// Keeps the files of the dashboard for a browser without a network. Only files: what the functions answer is never kept.

const KEPT = "rovodev-files";
const own = new URL("./", self.location);

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((kept) => kept.addAll(["./", "config.json"])).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const place = new URL(request.url);
  const file = request.method === "GET" && place.origin === own.origin && place.pathname.startsWith(own.pathname)
    && !/^(api|auth|rest)\//.test(place.pathname.slice(own.pathname.length)) && !request.headers.has("authorization");
  if (file) event.respondWith(fresh(request));
});

/** The network first, so that a new version is there at once; what is kept only where nothing answers. */
async function fresh(request) {
  const kept = await caches.open(KEPT);
  const name = request.url.split(/[?#]/)[0];
  try {
    const answer = await fetch(request);
    if (answer.ok && answer.type === "basic") await kept.put(name, answer.clone());
    return answer;
  } catch (error) {
    const before = await kept.match(name);
    if (before) return before;
    throw error;
  }
}
