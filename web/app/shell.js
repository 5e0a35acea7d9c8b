// The service worker: keeps the files of the dashboard, so that it opens without a network and says so. It is the one
// script address that is not in the page, hence the policy.

export function installShell() {
  if (!("serviceWorker" in navigator) || !window.isSecureContext) return;
  const address = new URL("../worker.js", import.meta.url).href;
  const policy = window.trustedTypes?.createPolicy("rovodev-worker", { createScriptURL: () => address });
  navigator.serviceWorker.register(policy ? policy.createScriptURL("") : address).catch(() => {
    // A browser that keeps nothing (a private window) works all the same, with a network.
  });
}
