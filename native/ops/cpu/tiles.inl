#pragma once

// The products of attention in blocks of registers. L keys (any number), I = kQueries lanes of queries, E = head_dim
// padded to kPad; kE is E where it is known to the compiler, else 0.

#include "ops/cpu/lanes.inl"

constexpr int kQueries = 32;

enum class Product {
  kScores,  // C_LI = A_LE B_EI
  kKeys,    // C_LE = A_LI B_IE
  kQueries  // C_IE = A_LI' B_LE
};

// Rows of C that fit into the registers beside a row of B and one element of A.
template <int V>
constexpr int kMostRows = kRegister == 64 ? (V == 1 ? 16 : 14) : (V == 1 ? 12 : 6);

// R rows and V vectors of C; adds to what is there when `add`.
template <Product kProduct, int kE, int V, typename A, int R>
static void tile(int64_t depth, int64_t padded_E, const A* a, const A* b, A* c, bool add) {
  constexpr int64_t W = Lanes<A>::width;
  const int64_t E = kE > 0 ? kE : padded_E;
  const int64_t row = kProduct == Product::kScores ? E : kProduct == Product::kKeys ? kQueries : 1;
  const int64_t step = kProduct == Product::kQueries ? kQueries : 1;
  const int64_t ldb = kProduct == Product::kScores ? kQueries : E;
  const int64_t ldc = ldb;
  Vec<A> sum[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sum[r][v] = Vec<A>{};
#pragma GCC unroll 1
  for (int64_t k = 0; k < depth; ++k) {
    Vec<A> line[V];
    for (int v = 0; v < V; ++v) line[v] = load_lanes(b + k * ldb + v * W);
    for (int r = 0; r < R; ++r) {
      const A x = a[r * row + k * step];
      for (int v = 0; v < V; ++v) sum[r][v] += x * line[v];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      A* to = c + r * ldc + v * W;
      store_lanes(to, add ? load_lanes(to) + sum[r][v] : sum[r][v]);
    }
  }
}

template <Product kProduct, int kE, int V, typename A, int... R>
ST_INLINE void rows_of_tiles(std::integer_sequence<int, R...>, int64_t rows, int64_t depth, int64_t padded_E,
                             const A* a, const A* b, A* c, bool add) {
  using Tile = void (*)(int64_t, int64_t, const A*, const A*, A*, bool);
  static constexpr Tile kTiles[] = {tile<kProduct, kE, V, A, R + 1>...};
  constexpr int64_t most = sizeof...(R);
  const int64_t E = kE > 0 ? kE : padded_E;
  const int64_t row = kProduct == Product::kScores ? E : kProduct == Product::kKeys ? kQueries : 1;
  const int64_t ldc = kProduct == Product::kScores ? kQueries : E;
  // Tiles of nearly the same height: a low one at the end would wait for its few sums.
  for (int64_t tiles = (rows + most - 1) / most, r = 0; tiles > 0; --tiles) {
    const int64_t count = (rows - r + tiles - 1) / tiles;
    kTiles[count - 1](depth, padded_E, a + r * row, b, c + r * ldc, add);
    r += count;
  }
}

// `vectors` of C's columns. kE may be known to the compiler for scores: the rows of A lie E apart, a distance for every
// row of a tile, which registers do not hold.
template <Product kProduct, int kE = 0, typename A>
static void product(int64_t rows, int64_t vectors, int64_t depth, int64_t padded_E, const A* a, const A* b, A* c,
                    bool add = false) {
  constexpr int64_t W = Lanes<A>::width;
  int64_t v = 0;
  for (; v + 2 <= vectors; v += 2) {
    rows_of_tiles<kProduct, kE, 2>(std::make_integer_sequence<int, kMostRows<2>>{}, rows, depth, padded_E, a, b + v * W,
                                   c + v * W, add);
  }
  for (; v < vectors; ++v) {
    rows_of_tiles<kProduct, kE, 1>(std::make_integer_sequence<int, kMostRows<1>>{}, rows, depth, padded_E, a, b + v * W,
                                   c + v * W, add);
  }
}
