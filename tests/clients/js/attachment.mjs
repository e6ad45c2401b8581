// Encrypted files as the Matrix specification has them: AES-256-CTR, SHA-256 over the ciphertext.

import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";

const unpadded = (bytes) => bytes.toString("base64").replace(/=+$/, "");
const digest = (bytes) => unpadded(createHash("sha256").update(bytes).digest());

export function encrypt(plain) {
  const key = randomBytes(32);
  // The lower half is the counter and starts at zero.
  const iv = Buffer.concat([randomBytes(8), Buffer.alloc(8)]);
  const cipher = createCipheriv("aes-256-ctr", key, iv);
  const bytes = Buffer.concat([cipher.update(plain), cipher.final()]);
  const jwk = {
    kty: "oct",
    alg: "A256CTR",
    ext: true,
    key_ops: ["encrypt", "decrypt"],
    k: key.toString("base64url"),
  };
  return { bytes, file: { v: "v2", key: jwk, iv: unpadded(iv), hashes: { sha256: digest(bytes) } } };
}

export function decrypt(bytes, file) {
  if (digest(bytes) !== file.hashes.sha256) throw new Error("the ciphertext has another SHA-256");
  const key = Buffer.from(file.key.k, "base64url");
  const decipher = createDecipheriv("aes-256-ctr", key, Buffer.from(file.iv, "base64"));
  return Buffer.concat([decipher.update(bytes), decipher.final()]);
}
