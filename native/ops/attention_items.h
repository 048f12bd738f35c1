#pragma once

#include <functional>

#include "ops/attention.h"
#include "ops/cpu/kernels.h"

// How the CPU shares attention among threads, and where what it keeps of each row lies.
namespace st {

// Masks of rows with more keys are not kept but drawn in both passes: kept, they grow with the square of the length. At
// this length, the longest of BERT, the mask of a token is as large as half of its queries in bfloat16. Drawing takes
// about 7 % of the backward pass. Both for heads of 64.
constexpr int64_t kMostKeptKeys = 512;

// Of 16 bits, for each head of row `row`.
int64_t mask_words_of_head(const AttentionCall& call, int64_t row);

// Gradients of biases by diagonal: [heads, queries + keys - 1] numbers of each row, one row after the other.
int64_t diagonals_of_row(const AttentionCall& call, int64_t row);

// Calls work(item) for all heads of all rows, the most expensive rows first, each thread taking the next item when it
// is free. No two items share an output, so the order does not matter to the result. Items of the backward pass hold
// whole groups of heads, whose keys and values are the same.
void for_each_item(const AttentionCall& call, bool backward,
                   const std::function<void(const kernels::AttentionItem&)>& work);

// Parts of the rows of a backward pass whose items add to memory of their part: their number is that of the rows up to
// some, and not that of the threads.
int64_t parts_of_rows(const AttentionCall& call);

// Calls work(part, item) for all heads of all rows. One thread takes all rows of a part and a head, in their order.
void for_each_item_in_parts(const AttentionCall& call,
                            const std::function<void(int64_t part, const kernels::AttentionItem&)>& work);

}  // namespace st
