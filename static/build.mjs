// Bundles the front end into static/dist/: one ES module for each page, one style sheet, one sprite of icons.
//
//   node static/build.mjs            write static/dist/
//   node static/build.mjs --watch    and again at each change
//   node static/build.mjs --check    bundle in memory only; fails on errors, unknown icons and too large a page

import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import path from "node:path";
import esbuild from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(here);
const dist = path.join(here, "dist");
const check = process.argv.includes("--check");
const watch = process.argv.includes("--watch");
const SCRIPT_LIMIT = 150_000; // bytes of a page's script, compressed
const EDITORS = ["static/src/js/lab/code.js"]; // asked for by pages with an editor alone, which may weigh more

async function entries() {
  const pages = await readdir(path.join(here, "src/js/pages"));
  return pages.filter((name) => name.endsWith(".js")).map((name) => path.join(here, "src/js/pages", name));
}

/** The names of icons that templates and scripts use. */
async function usedIcons() {
  const names = new Set();
  const folders = [path.join(root, "templates"), path.join(here, "src/js")];
  for (const app of ["marketdata", "strategies", "trading", "social", "marketplace", "clusterx"]) {
    folders.push(path.join(root, app, "templates"), path.join(root, app, "templatetags"));
  }
  for (const folder of folders) {
    const files = await readdir(folder, { recursive: true }).catch(() => []);
    for (const file of files.filter((name) => /\.(html|js|py)$/.test(name))) {
      const text = await readFile(path.join(folder, file), "utf8");
      // icon.html with name="x", parameters called icon="x", and icon("x") in scripts
      for (const match of text.matchAll(/icon\.html"\s+with\s+name="([a-z0-9-]+)"|\bicon="([a-z0-9-]+)"|\bicon\("([a-z0-9-]+)"/g)) {
        names.add(match[1] ?? match[2] ?? match[3]);
      }
    }
  }
  return [...names].sort();
}

/** One SVG with a symbol for each icon; Lucide's licence (ISC) goes with it. */
async function sprite() {
  const names = await usedIcons();
  const symbols = await Promise.all(
    names.map(async (name) => {
      const file = path.join(root, "node_modules/lucide-static/icons", `${name}.svg`);
      const svg = await readFile(file, "utf8").catch(() => {
        throw new Error(`templates use the icon "${name}", which lucide-static does not have`);
      });
      const body = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
      return `<symbol id="${name}" viewBox="0 0 24 24">${body.replace(/\s+/g, " ").trim()}</symbol>`;
    }),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg"><!-- Lucide, ISC licence: see /licences/ -->${symbols.join("")}</svg>`;
}

const shared = { bundle: true, minify: true, target: ["es2022"], legalComments: "none", logLevel: "warning", metafile: true };

async function options() {
  return [
    {
      ...shared,
      entryPoints: await entries(),
      outdir: path.join(dist, "js"),
      format: "esm",
      splitting: true,
      chunkNames: "chunks/[name]-[hash]",
    },
    { ...shared, entryPoints: [path.join(here, "src/css/app.css")], outdir: path.join(dist, "css"), target: ["chrome115", "firefox117", "safari16.5"] },
  ];
}

/** Compressed bytes that each page's script brings with it, its chunks included. */
function weigh(result) {
  const size = new Map(result.outputFiles.map((file) => [path.relative(root, file.path), gzipSync(file.contents).length]));
  const heavy = [];
  for (const [name, output] of Object.entries(result.metafile.outputs)) {
    if (!output.entryPoint) continue;
    const seen = new Set();
    const queue = [name];
    while (queue.length) {
      const one = queue.pop();
      if (seen.has(one)) continue;
      seen.add(one);
      queue.push(...result.metafile.outputs[one].imports.filter((i) => i.kind === "import-statement").map((i) => i.path));
    }
    const total = [...seen].reduce((sum, one) => sum + (size.get(one) ?? 0), 0);
    if (total > SCRIPT_LIMIT && !EDITORS.includes(output.entryPoint)) heavy.push(`${output.entryPoint} brings ${total} bytes of script, at most ${SCRIPT_LIMIT} are allowed`);
    if (process.argv.includes("--sizes")) console.log(String(total).padStart(8), output.entryPoint);
  }
  if (heavy.length) throw new Error(heavy.join("\n"));
}

async function build() {
  const icons = await sprite();
  const results = await Promise.all((await options()).map((one) => esbuild.build({ ...one, write: false, absWorkingDir: root })));
  results.forEach(weigh);
  if (check) return;
  await rm(path.join(dist, "js"), { recursive: true, force: true });
  const files = results.flatMap((result) => result.outputFiles);
  files.push({ path: path.join(dist, "icons.svg"), contents: Buffer.from(icons) });
  for (const file of files) {
    await mkdir(path.dirname(file.path), { recursive: true });
    await writeFile(file.path, file.contents);
    // WhiteNoise sends the copy beside it to browsers that take it, before anything was collected too.
    await writeFile(`${file.path}.gz`, gzipSync(file.contents, { level: 9 }));
  }
}

if (watch) {
  const { watch: changes } = await import("node:fs");
  let timer;
  const again = () => {
    clearTimeout(timer);
    timer = setTimeout(() => build().catch((error) => console.error(error.message)), 100);
  };
  for (const folder of [path.join(here, "src"), path.join(root, "templates")]) changes(folder, { recursive: true }, again);
  again();
} else {
  await build().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
}
