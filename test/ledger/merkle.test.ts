import { expect, test } from 'vitest'
import { MerkleTree, nodeHash } from '../../src/ledger/merkle.js'
import { leafHash } from '../../src/ledger/record.js'

const text = (value: string): string => Buffer.from(value).toString('hex')

test('an inner node is hashed as in RFC 6962', () => {
  expect(nodeHash(text('N123'), text('N456'))).toBe('aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb')
})

// The reference tree of certificate-transparency-go, by size.
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

test('roots of 0 to 8 leaves are those of the reference tree', () => {
  const tree = MerkleTree.empty()
  const roots = [tree.root()]
  for (const leaf of LEAVES) {
    tree.append(leafHash(Buffer.from(leaf, 'hex')))
    roots.push(tree.root())
  }
  expect(roots).toEqual(ROOTS)
})

// Log of transparency-dev/tessera (testdata/log, Apache-2.0), size 15.
test('the root of a published log of 15 leaves comes out', () => {
  const tree = MerkleTree.empty()
  const words = 'one two three four five six seven eit nain ten ileven twelf threeten fourten fivten'.split(' ')
  for (const word of words) tree.append(leafHash(word))
  expect(Buffer.from(tree.root(), 'hex').toString('base64')).toBe('rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=')
})

/** RFC 6962 section 2.1, word for word. */
const treeHash = (leaves: readonly string[]): string => {
  if (leaves.length === 1) return leaves[0] as string
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  return nodeHash(treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)))
}

test('the root of any size is the recursive definition, also after resuming half way', () => {
  const leaves = Array.from({ length: 70 }, (_, index) => leafHash(`${index}`))
  for (let size = 1; size <= leaves.length; size++) {
    const half = MerkleTree.empty()
    for (const leaf of leaves.slice(0, size >> 1)) half.append(leaf)
    const tree = MerkleTree.resume(half.size, half.range)
    for (const leaf of leaves.slice(size >> 1, size)) tree.append(leaf)
    expect([tree.size, tree.root()]).toEqual([size, treeHash(leaves.slice(0, size))])
  }
})
