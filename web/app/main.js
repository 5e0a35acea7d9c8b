// The dashboard as a page of its own.

import { ask } from "./ahead.js";

ask().catch(() => {});
const { mount } = await import("./mount.js");
mount(document.querySelector(".rovodev"));
