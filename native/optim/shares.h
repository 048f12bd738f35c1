#pragma once

#include <vector>

#include "core/parallel.h"

namespace st {

// Calls work(item) for items [0, count). Neighbours share a thread, and every thread has about the same sum of
// cost(item). Costs below `grain` are not worth another thread.
template <typename Cost, typename Work>
void parallel_shares(int64_t count, int64_t grain, const Cost& cost, const Work& work) {
  std::vector<int64_t> before(static_cast<size_t>(count) + 1, 0);
  for (int64_t i = 0; i < count; ++i) before[i + 1] = before[i] + cost(i);
  const int64_t total = before[count];
  parallel_ranges(total, parallel_parts(total, grain), [&](int64_t, int64_t begin, int64_t end) {
    const auto first = std::lower_bound(before.begin(), before.end() - 1, begin) - before.begin();
    const auto last = std::lower_bound(before.begin(), before.end() - 1, end) - before.begin();
    for (int64_t i = first; i < last; ++i) work(i);
  });
}

// Elements [begin, end) of a flat buffer.
struct Span {
  int64_t begin, end;
};

// A piece of a list of ranges, short enough for an even distribution over threads.
struct Piece {
  size_t range;
  int64_t begin, end;
};

template <typename Range>
std::vector<Piece> pieces_of(const std::vector<Range>& ranges) {
  constexpr int64_t kLongest = 1 << 14;
  std::vector<Piece> out;
  for (size_t i = 0; i < ranges.size(); ++i) {
    for (int64_t begin = ranges[i].begin; begin < ranges[i].end; begin += kLongest) {
      out.push_back({i, begin, std::min(begin + kLongest, ranges[i].end)});
    }
  }
  return out;
}

// Pieces that an update takes some ten milliseconds for, in their order.
inline std::vector<std::vector<Piece>> groups_of(const std::vector<Piece>& pieces) {
  constexpr int64_t kLongest = 1 << 22;
  std::vector<std::vector<Piece>> out;
  int64_t elements = kLongest;
  for (const Piece& piece : pieces) {
    if (elements >= kLongest) {
      out.emplace_back();
      elements = 0;
    }
    out.back().push_back(piece);
    elements += piece.end - piece.begin;
  }
  return out;
}

// Calls work(index of a piece).
template <typename Work>
void parallel_pieces(const std::vector<Piece>& pieces, const Work& work) {
  const auto cost = [&](int64_t i) { return pieces[i].end - pieces[i].begin; };
  parallel_shares(static_cast<int64_t>(pieces.size()), 1 << 14, cost, work);
}

}  // namespace st
