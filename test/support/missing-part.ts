/** A program that a test needs is not on this machine: the test is skipped with the reason, or fails where all are required. */
export class MissingPart extends Error {
  override readonly name = 'MissingPart'
}
