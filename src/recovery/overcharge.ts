import { type Audit, type RecordPlace } from './audit.js'
import { overdrawnName } from './cap-below-spent.js'
import { isAboveOne, useOf } from './share.js'
import { overrun, type Touched } from './touched.js'

/**
 * What is charged because its decision is lost, and takes a guarantee beyond its cap, is charged too much: whoever decided it
 * kept to the cap. It breaks nothing, but the sums alone do not show that.
 */
export const noteOvercharge = (audit: Audit, beyond: readonly Touched[], { seq }: RecordPlace): void => {
  for (const budget of beyond) {
    const { policy, balance } = budget
    if (isAboveOne(useOf(policy, balance))) continue
    const name = overdrawnName(policy)
    audit.overcharged.set(name, (audit.overcharged.get(name) ?? 0) + 1)
    const detail = `policy ${policy.id} version ${policy.version}: ${overrun(budget)}; its first decision is lost`
    audit.notices.add({ seq, code: 'OVERCHARGED', detail })
  }
}
