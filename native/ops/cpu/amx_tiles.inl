// Shared parts of products on the tiles of Intel AMX. Included inside a namespace of its own instruction set.

constexpr int64_t kTile = 16;  // rows of a tile, each of 64 bytes, and columns of a tile of sums

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Tiles exist for the calling thread between construction and destruction.
struct Tiles {
  Tiles() {
    const TileConfig config;
    _tile_loadconfig(&config);
  }
  ~Tiles() { _tile_release(); }
};

// The first `count` of 16 lanes.
inline __mmask16 first_lanes(int64_t count) {
  return count >= kTile ? 0xFFFF : count <= 0 ? 0 : static_cast<__mmask16>((1u << count) - 1);
}
