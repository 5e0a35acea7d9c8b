// Writes the dashboard as a deployment serves it: `node web-site.mjs FOLDER`, called by bin/web-build. The modules of web/
// become few: what every page needs in one, each page in one of its own, all named after what is in them, so that a
// browser keeps them for good.

import { createHash } from "node:crypto";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const { build } = createRequire(`${process.env.ROVODEV_WEB_TOOLS}/`)("esbuild");
const folder = process.argv[2];
const minified = { bundle: true, minify: true, charset: "utf8", target: "es2022", logLevel: "warning", outdir: folder, outbase: "web" };

/** The page, on which the browser learns at once what it will need. */
function index({ outputs }, config) {
  const file = `${folder}/index.html`;
  const own = `content="connect-src 'self'"`;
  const begin = `<script type="module" src="app/main.js"></script>`;
  const page = readFileSync(file, "utf8");
  for (const part of [own, begin]) {
    if (!page.includes(part)) throw new Error(`index.html does not hold ${part}`);
  }
  const hosts = [config.supabaseUrl, config.api].filter((address) => /^https?:/.test(address ?? "")).map((address) => new URL(address).origin);
  const links = needed(outputs).map((name) => `\n    <link rel="modulepreload" href="${name}">`).join("");
  writeFileSync(file, page.replace(own, `content="connect-src ${["'self'", ...hosts].join(" ")}"`).replace(begin, begin + links));
}

/** What the start imports, and what several pages share. */
function needed(outputs) {
  const place = (path) => path.slice(folder.length + 1);
  const found = new Set();
  const follow = (path) => {
    for (const { path: next, kind } of outputs[path].imports) {
      if (kind !== "import-statement" || found.has(next)) continue;
      found.add(next);
      follow(next);
    }
  };
  // The one imports the other when it has asked for what the page shows.
  for (const entry of ["app/main.js", "app/mount.js"]) follow(`${folder}/${entry}`);
  found.add(`${folder}/app/mount.js`);
  for (const [path, { entryPoint }] of Object.entries(outputs)) {
    if (!entryPoint) found.add(path);
  }
  return [...found].map(place);
}

/** The service worker, which knows all files, and is another one with every deployment. */
async function worker(modules) {
  const files = [...modules.map((path) => path.slice(folder.length + 1)), "assets/dashboard.css", "icon.svg"];
  const text = ["index.html", ...files].map((name) => readFileSync(`${folder}/${name}`)).join("\n");
  const define = { DEPLOYMENT: JSON.stringify(createHash("sha256").update(text).digest("hex").slice(0, 16)), FILES: JSON.stringify(files) };
  await build({ ...minified, entryPoints: ["web/worker.js"], define });
}

function settings() {
  const { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, APP_NAME, API_URL, AUTH_PROVIDERS } = process.env;
  for (const name of ["SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY"]) {
    if (!process.env[name]) throw new Error(`${name} is not set: the dashboard would not know where to sign in`);
  }
  return {
    supabaseUrl: new URL(SUPABASE_URL).origin, publishableKey: SUPABASE_PUBLISHABLE_KEY, appName: APP_NAME ?? "",
    ...(API_URL ? { api: API_URL } : {}), ...(AUTH_PROVIDERS ? { providers: AUTH_PROVIDERS.split(",") } : {}),
  };
}

const config = settings();
rmSync(folder, { recursive: true, force: true });
cpSync("web", folder, { recursive: true, filter: (path) => !/^web\/(app|pages|words|vendor|assets)\b/.test(path) && !path.endsWith(".js") });
const modules = await build({
  ...minified, entryPoints: ["web/app/main.js", "web/app/mount.js"], format: "esm", splitting: true, metafile: true,
  chunkNames: "chunks/[name]-[hash]",
});
await build({ ...minified, entryPoints: ["web/assets/dashboard.css"] });
index(modules.metafile, config);
await worker(Object.keys(modules.metafile.outputs));
writeFileSync(`${folder}/config.json`, `${JSON.stringify(config, null, 2)}\n`);
