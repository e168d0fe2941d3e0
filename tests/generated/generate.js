// Writes featcodec_file.py, the parser that Kaitai Struct makes of bitstream_spec/featcodec.ksy, and
// the SHA-256 of what it was made of, which a test holds. `make kaitai` installs what is needed.
const { createHash } = require("crypto");
const { readFileSync, writeFileSync } = require("fs");
const { join } = require("path");
const compiler = require("kaitai-struct-compiler");
const yaml = require("js-yaml");

const source = readFileSync(join(__dirname, "..", "..", "bitstream_spec", "featcodec.ksy"));
const digest = createHash("sha256").update(source).digest("hex");
compiler.compile("python", yaml.load(source.toString())).then((files) => {
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(__dirname, name), `${text.trimEnd()}\n\nKSY_SHA256 = "${digest}"\n`);
  }
});
