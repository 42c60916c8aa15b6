/** Build the bundle that ships with the Python package: `npm run build [folder]`. Same sources, same bytes. */
import { build } from "esbuild";

const shipped = new URL("../intercom_nb/views/static", import.meta.url).pathname;
const out = `${process.argv[2] ?? shipped}/`;
const common = { absWorkingDir: new URL(".", import.meta.url).pathname, bundle: true, minify: true, target: "es2022", charset: "utf8", legalComments: "none", logLevel: "info" };

await build({ ...common, entryPoints: ["src/index.js"], format: "esm", outfile: `${out}views.js`, banner: { js: "// Built from js/ by `npm run build`; licences in THIRD_PARTY_LICENSES." } });
await build({ ...common, entryPoints: ["src/views.css"], outfile: `${out}views.css` });
