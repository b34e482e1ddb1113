/**
 * Searches a text for one piece, forward.
 */

/**
 * Remembers where the next occurrence is, so that what is rare is not searched for again and again.
 *
 * @internal
 */
export class Finder {
  private text = ""
  private wanted = ""
  private from = 0
  private found = -1

  load(text: string, wanted: string): void {
    this.text = text
    this.wanted = wanted
    this.from = 0
    this.found = -1
  }

  /** The index of the next occurrence at or behind `index`; infinite when there is none, or nothing is wanted. */
  at(index: number): number {
    if (index < this.from || index > this.found) {
      const found = this.wanted === "" ? -1 : this.text.indexOf(this.wanted, index)
      this.from = index
      this.found = found < 0 ? Infinity : found
    }
    return this.found
  }
}
