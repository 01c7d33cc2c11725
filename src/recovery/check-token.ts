import { isGood } from '../budget/authority.js'
import { type Audit, fail, type RecordPlace } from './audit.js'

/** A record that names the token of who asked: it is one of this role, of that very person, and was good then. */
export const checkToken = (audit: Audit, id: string, role: 'operator' | 'approver', place: RecordPlace): void => {
  const token = audit.state.registry.tokens.get(id)
  if (token === undefined || token.role !== role) {
    fail(
      'APPROVAL_INVALID',
      place,
      `it names token ${JSON.stringify(id)} as ${role}, which is ${token === undefined ? 'in no record' : `of role ${token.role}`}`,
    )
    return
  }
  if (place.by !== `${role}:${token.source}`) {
    fail(
      'NOT_AUTHORISED',
      place,
      `it names token ${JSON.stringify(id)} of ${role}:${token.source}, but was asked by ${JSON.stringify(place.by)}`,
    )
  }
  if (!isGood(token, place.at)) {
    fail(
      'APPROVAL_INVALID',
      place,
      `token ${JSON.stringify(id)} was ${token.revoked ? 'revoked' : `good until ${token.expiresAt}`}`,
    )
  }
}
