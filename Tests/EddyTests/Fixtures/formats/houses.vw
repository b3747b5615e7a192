0 | price:.23 sqft:.25 age:.05 2006
1 2 'second_house | price:.18 sqft:.15 age:.35 1976
0 1 0 third_house| price:.53 sqft:.32 age:.87 1924
'fourth_house |place city=Ulm garden |measures:0.5 price:.41 sqft:.2
