//! What the bit-sliced DES counts with: a word of many bits, one for each block that is worked on
//! at the same time.

/// As many bits as blocks are worked on at once, in lanes of 64.
pub(crate) trait Word: Copy {
    /// How many lanes of 64 bits.
    const LANES: usize;
    /// All lanes have this value.
    fn splat(lane: u64) -> Self;
    /// From [`LANES`](Self::LANES) lanes; further ones are left alone, missing ones are zero.
    fn load(lanes: &[u64]) -> Self;
    /// To [`LANES`](Self::LANES) lanes, as far as there are as many.
    fn store(self, lanes: &mut [u64]);
    /// Both.
    fn and(self, other: Self) -> Self;
    /// Either.
    fn or(self, other: Self) -> Self;
    /// Either, not both.
    fn xor(self, other: Self) -> Self;
    /// The first without the second.
    fn and_not(self, other: Self) -> Self;
    /// Each lane moved up by `N` bits.
    fn up<const N: i32>(self) -> Self;
    /// Each lane moved down by `N` bits.
    fn down<const N: i32>(self) -> Self;

    /// The other bits.
    #[inline(always)]
    fn not(self) -> Self {
        self.xor(Self::splat(u64::MAX))
    }
}

/// One lane: what every processor has.
impl Word for u64 {
    const LANES: usize = 1;

    #[inline(always)]
    fn splat(lane: u64) -> Self {
        lane
    }

    #[inline(always)]
    fn load(lanes: &[u64]) -> Self {
        lanes.first().copied().unwrap_or(0)
    }

    #[inline(always)]
    fn store(self, lanes: &mut [u64]) {
        if let Some(lane) = lanes.first_mut() {
            *lane = self;
        }
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self & other
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self | other
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        self & !other
    }

    #[inline(always)]
    fn up<const N: i32>(self) -> Self {
        self << N
    }

    #[inline(always)]
    fn down<const N: i32>(self) -> Self {
        self >> N
    }
}
