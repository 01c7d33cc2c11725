import { expect, test } from 'vitest'
import { bombed } from '../bench/cost-bomb.js'
import { Service } from '../support/service.js'

test('a batch of spends as dear as any holds up nobody else', async () => {
  const service = await Service.start()
  try {
    const { batchMs, accepted, cheap, fresh, otherStatuses } = await bombed(service, 200)
    expect(accepted).toBe(200)
    expect([...otherStatuses]).toEqual([201])
    // Not one request in all that time, but many, and none of them waited for the batch.
    for (const times of [cheap, fresh]) {
      expect(times.length).toBeGreaterThan(10)
      expect(Math.max(...times)).toBeLessThan(batchMs / 2)
    }
  } finally {
    await service.remove()
  }
})
