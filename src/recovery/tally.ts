/** How much of each kind was examined: the figures behind a check's "passed". */
export class Tally {
  records = 0
  requests = 0
  hashesRecomputed = 0
  hashesOutOfReach = 0
  costsCompared = 0
  sumsCompared = 0
  capsCompared = 0
  policyVersions = 0
  policyRaises = 0
  guaranteesRaised = 0
  permits = 0
  budgetsTouched = 0
  refusals = 0
  refusalsOutOfReach = 0
  largestCounts = 0
  reports = 0
  undecided = 0
  reservationsOpened = 0
  reservationsSettled = 0
  reservationsReleased = 0
  reservationsExpired = 0
  noiseRanges = 0
  partsRead = 0
  kafkaRecords = 0
  quarantined = 0
  dismissed = 0
}
