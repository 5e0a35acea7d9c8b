// The dashboard as a page of its own.

import { mount } from "./mount.js";

mount(document.querySelector(".rovodev"));
