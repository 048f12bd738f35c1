#pragma once

#include <cstdint>

#include "ops/cpu/kernels.h"

// Attention in bfloat16 on tiles: the kernels of Table<Bf16>, for the items that take() accepts. Both read and write
// the same masks, so that an item's passes may use either.
namespace st::kernels {

struct TileAttention {
  // Whether an item is of the plain kind (no window, no bias, usual sizes of heads) and long enough to be faster here.
  bool (*takes)(const Attention<Bf16>&, const AttentionItem&);
  int64_t (*scratch)(const Attention<Bf16>&, const AttentionItem&, bool backward);  // floats
  void (*forward)(const Attention<Bf16>&, const AttentionItem&, float* scratch);
  void (*backward)(const Attention<Bf16>&, const AttentionItem&, float* scratch);
};

// Null where the chosen instruction set has none.
const TileAttention* tile_attention();

}  // namespace st::kernels
