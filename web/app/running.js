// The restore that this browser began last, so that every tab finds its way back to it.

import { address } from "./router.js";

const KEPT = "rovodev-restore";

/** {tenant, backup, operation}, or null. */
export function current() {
  try {
    return JSON.parse(localStorage.getItem(KEPT));
  } catch {
    return null;
  }
}

export function begun(backup, operation) {
  localStorage.setItem(KEPT, JSON.stringify({ backup, operation }));
}

export function over(operation) {
  if (current()?.operation === operation) localStorage.removeItem(KEPT);
}

export const place = ({ backup, operation }) => address("/restore", { backup, operation });
