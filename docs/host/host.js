// The dashboard inside a host's own page: it takes the session that the host's Supabase client keeps on this origin.

import { mount } from "/settings/backups/app/mount.js";

mount(document.querySelector(".rovodev"));
