import type { INestApplication } from '@nestjs/common'
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger'
import type { TokenRole } from '../roles.js'
import { SCHEMAS } from './schemas.js'

const DESCRIPTION = `Keeps the record of how much differential-privacy budget every person's data has spent, and proves by
replay that no budget was exceeded.

**Amounts** go in as decimal strings, fractions p/q or JSON numbers, and come out as exact decimal strings. NaN, Infinity and
negative numbers are refused, and so are unknown fields everywhere.

**Idempotency**: by the token's source and the id. The same request again gets the same answer, with the header
\`idempotency-replayed: true\`; another request with the id is 422 \`IDEMPOTENCY_CONFLICT\`.

**Reading your writes**: every query says the position that it reflects. \`?atLeast=<seq>\` waits up to two seconds until the
answer reflects that record; after that it is 503 \`NOT_READY\`.

**Problems** are documents of RFC 9457 with a stable \`code\`. 503 has \`Retry-After\`: nothing was recorded, and the id stays usable.`

const ROLES: Readonly<Record<TokenRole, string>> = {
  emitter: 'Spends, reserves, settles, releases, reports, estimates, and reads the answers to its own.',
  auditor: 'Reads everything.',
  operator: 'Reads everything; sets policies, halts, resumes, and manages tokens other than those of approvers.',
  approver: 'Reads everything; approves what another person proposed, and manages tokens of approvers.',
}

/** The OpenAPI document: routes from the contracts of the controllers, schemas from this folder. */
export const openApiDocument = (app: INestApplication): OpenAPIObject => {
  const builder = new DocumentBuilder()
    .setTitle('Epsilon Ledger')
    .setDescription(DESCRIPTION)
    .setVersion('1')
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .setOpenAPIVersion('3.1.0')
    .addServer('/')
  for (const [role, description] of Object.entries(ROLES)) {
    builder.addSecurity(role, { type: 'http', scheme: 'bearer', description })
  }
  const document = SwaggerModule.createDocument(app, builder.build(), {
    operationIdFactory: (controller, method) => `${controller.replace('Controller', '')}_${method}`,
  })
  return { ...document, components: { ...document.components, schemas: SCHEMAS as never } }
}
