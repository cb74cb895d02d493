// Bundles src/ and three.js into page.js: `npm ci && npm run build`, or `make page`.
//
// The bundle is in git, so that dimred needs no Node.js. Its first line says which sources it was
// made from, which a test holds against those that are there.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { build } from "esbuild";

const digest = createHash("sha256");
for (const file of ["package-lock.json", ...readdirSync("src").sort().map((name) => `src/${name}`)]) {
  digest.update(readFileSync(file));
}
const license = readFileSync("node_modules/three/LICENSE", "utf8").trim();
await build({
  entryPoints: ["src/main.js"],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "none",
  outfile: "page.js",
  banner: { js: `// sources ${digest.digest("hex")}\n/*! Contains three.js:\n${license}\n*/` },
});
