/**
 * A checksum that grows with a file: what was committed is recognised by it, and not by its length alone.
 */
import { createHash, type Hash } from "node:crypto"

/** The checksum of some bytes. Adding to it gives another one, so that a rollback can go back to the one before. */
export class Digest {
  private constructor(private readonly hash: Hash) {}

  static readonly empty: Digest = new Digest(createHash("sha256"))

  add(bytes: Uint8Array): Digest {
    return new Digest(this.hash.copy().update(bytes))
  }

  /** 128 bits of SHA-256. */
  get text(): string {
    return this.hash.copy().digest("hex").slice(0, 32)
  }
}
